# The certificate stores of the machine.

function Get-StoreCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store)

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store $Store, 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags]::ReadOnly)
    try { foreach ($certificate in $opened.Certificates) { $certificate } }
    finally { $opened.Close() }
}

function Add-StoreCertificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store,
        [Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate
    )

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store $Store, 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags]::ReadWrite)
    try { $opened.Add($Certificate) }
    finally { $opened.Close() }
}

# Removes archived certificates too.
function Remove-StoreCertificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store,
        [Parameter(Mandatory = $true)] [string] $Thumbprint
    )

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store $Store, 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags] 'ReadWrite, IncludeArchived')
    try {
        foreach ($certificate in $opened.Certificates) {
            if ($certificate.Thumbprint -eq $Thumbprint) { $opened.Remove($certificate) }
        }
    }
    finally { $opened.Close() }
}

# The friendly name is a property of the store's copy. Set on any other object, it
# would be lost together with that object.
function Set-StoreFriendlyName {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [string] $FriendlyName
    )

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store 'My', 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags] 'ReadWrite, IncludeArchived')
    try {
        foreach ($certificate in $opened.Certificates) {
            if ($certificate.Thumbprint -eq $Thumbprint) { $certificate.FriendlyName = $FriendlyName }
        }
    }
    finally { $opened.Close() }
}
