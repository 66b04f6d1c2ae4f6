# Functions that need Windows: accounts, access lists, signatures, stores.

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

# Creates a folder with exactly this access list, which inherits nothing, or gives
# an existing folder this list. It belongs to the administrators: an owner may change the
# list at any time. One that leads elsewhere is refused. Access are objects with Sid and
# Rights.
function Set-ClosedFolder {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [object[]] $Access
    )

    $security = New-Object System.Security.AccessControl.DirectorySecurity
    $security.SetOwner((New-Object System.Security.Principal.SecurityIdentifier 'S-1-5-32-544'))
    $security.SetAccessRuleProtection($true, $false)
    foreach ($entry in $Access) {
        $sid = New-Object System.Security.Principal.SecurityIdentifier $entry.Sid
        $security.AddAccessRule((New-Object System.Security.AccessControl.FileSystemAccessRule `
            $sid, $entry.Rights, 'ContainerInherit, ObjectInherit', 'None', 'Allow'))
    }
    $folder = New-Object System.IO.DirectoryInfo $Path
    if ($folder.Exists -and ($folder.Attributes -band [System.IO.FileAttributes]::ReparsePoint)) { throw "$Path is a link. Remove it." }
    if ($folder.Exists) { $folder.SetAccessControl($security) }
    else { $folder.Create($security) }
}

# Returns the certificate that a script is signed with, or null when the signature
# is not valid.
function Get-ValidSigner {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $signature = Get-AuthenticodeSignature -LiteralPath $Path
    if ([string] $signature.Status -ne 'Valid') { return $null }
    return $signature.SignerCertificate
}

# Without the publisher in this store PowerShell would ask for confirmation, which
# a scheduled task cannot give.
function Add-TrustedPublisher {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store 'TrustedPublisher', 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags]::ReadWrite)
    try { $opened.Add($Certificate) }
    finally { $opened.Close() }
}
