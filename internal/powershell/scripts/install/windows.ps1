# What only Windows can do: accounts, access lists, signatures, stores.

function Test-Administrator {
    [CmdletBinding()]
    param()

    $principal = New-Object System.Security.Principal.WindowsPrincipal ([System.Security.Principal.WindowsIdentity]::GetCurrent())
    return $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
}

function Get-AccountSid {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Account)

    $name = New-Object System.Security.Principal.NTAccount $Account
    return $name.Translate([System.Security.Principal.SecurityIdentifier]).Value
}

# Makes a folder whose access list is this and inherits nothing: objects with
# Sid and Rights.
function Set-ClosedFolder {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [object[]] $Access
    )

    $security = New-Object System.Security.AccessControl.DirectorySecurity
    $security.SetAccessRuleProtection($true, $false)
    foreach ($entry in $Access) {
        $sid = New-Object System.Security.Principal.SecurityIdentifier $entry.Sid
        $security.AddAccessRule((New-Object System.Security.AccessControl.FileSystemAccessRule `
            $sid, $entry.Rights, 'ContainerInherit, ObjectInherit', 'None', 'Allow'))
    }
    $folder = New-Object System.IO.DirectoryInfo $Path
    if ($folder.Exists) { $folder.SetAccessControl($security) }
    else { $folder.Create($security) }
}

# The certificate that a script is signed with; null unless the signature is valid.
function Get-ValidSigner {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $signature = Get-AuthenticodeSignature -LiteralPath $Path
    if ([string] $signature.Status -ne 'Valid') { return $null }
    return $signature.SignerCertificate
}

# A publisher that is not in this store would be asked about, and a task has
# nobody to ask.
function Add-TrustedPublisher {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store 'TrustedPublisher', 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags]::ReadWrite)
    try { $opened.Add($Certificate) }
    finally { $opened.Close() }
}
