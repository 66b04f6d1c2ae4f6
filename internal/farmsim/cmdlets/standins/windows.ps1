# Stand-ins for the part of the prelude that only Windows can run.

# Stores.

function Get-StoreCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store)
    Invoke-Door -Name Get-StoreCertificate -With $PSBoundParameters
}

function Add-StoreCertificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store,
        [Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate
    )
    Invoke-Door -Name Add-StoreCertificate -With $PSBoundParameters
}

function Remove-StoreCertificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store,
        [Parameter(Mandatory = $true)] [string] $Thumbprint
    )
    Invoke-Door -Name Remove-StoreCertificate -With $PSBoundParameters
}

function Set-StoreFriendlyName {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [string] $FriendlyName
    )
    Invoke-Door -Name Set-StoreFriendlyName -With $PSBoundParameters
}

function Get-PersonalCertificate {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-PersonalCertificate
}

function Set-StoreArchived {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [bool] $Archived
    )
    Invoke-Door -Name Set-StoreArchived -With $PSBoundParameters
}

# What else on the machine names a certificate.

function Get-TlsBindingText {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-TlsBindingText
}

function Get-ListenerThumbprint {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-ListenerThumbprint
}

# Keys.

function Open-Pfx {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509KeyStorageFlags] $Flags)

    $password = Read-PfxPassword
    $plain = (New-Object System.Net.NetworkCredential '', $password).Password
    Invoke-Door -Name Open-Pfx -With @{ Pfx = $FarmTrustSecrets[0]; Password = $plain; Flags = [string] $Flags }
}

# A key that stays on its machine: what is to be signed travels, the key does
# not. A class, for what a script method throws loses its identity; made only
# here, for making one takes a tenth of a second.
function New-DoorKey {
    param([object] $Certificate)

    $class = [ScriptBlock]::Create('
        class DoorKey {
            [object] $Certificate
            [byte[]] SignData(
                [byte[]] $Data, [System.Security.Cryptography.HashAlgorithmName] $Hash,
                [System.Security.Cryptography.RSASignaturePadding] $Padding
            ) {
                if ($Hash.Name -ne "SHA256" -or [string] $Padding -ne "Pkcs1") { throw "not simulated: $Hash $Padding" }
                return [Convert]::FromBase64String((Invoke-Door -Name SignData -With @{ Certificate = $this.Certificate; Data = $Data }))
            }
        }
        New-Object DoorKey')
    $key = . $class
    $key.Certificate = $Certificate
    return $key
}

function Get-PrivateKey {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    if (Invoke-Door -Name Get-PrivateKey -With $PSBoundParameters) { return New-DoorKey -Certificate $Certificate }
    return $null
}

function Get-KeyLocation {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)
    Invoke-Door -Name Get-KeyLocation -With $PSBoundParameters
}

function Get-KeyReader {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $File)
    Invoke-Door -Name Get-KeyReader -With $PSBoundParameters
}

function Add-KeyReader {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $File,
        [Parameter(Mandatory = $true)] [string] $Sid
    )
    Invoke-Door -Name Add-KeyReader -With $PSBoundParameters
}

function Remove-KeyReader {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $File,
        [Parameter(Mandatory = $true)] [string] $Sid
    )
    Invoke-Door -Name Remove-KeyReader -With $PSBoundParameters
}

function Remove-Key {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)
    Invoke-Door -Name Remove-Key -With $PSBoundParameters
}

# Files. PowerShell elsewhere joins paths with its own system's separator.

function Read-FileBytes {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $content = Invoke-Door -Name Read-FileBytes -With @{ Path = $Path.Replace('/', '\') }
    if ($null -eq $content) { return $null }
    return , [Convert]::FromBase64String($content)
}

function Write-FileBytes {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [byte[]] $Bytes
    )
    Invoke-Door -Name Write-FileBytes -With @{ Path = $Path.Replace('/', '\'); Bytes = $Bytes }
}

function Get-FileTime {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)
    Invoke-Door -Name Get-FileTime -With @{ Path = $Path.Replace('/', '\') }
}

# The machine.

function Get-ComputerName {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-ComputerName
}

function Get-AccountName {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-AccountName
}

function Get-MachineTime {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-MachineTime
}

function Test-Elevated {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Test-Elevated
}

function Get-ForestName {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-ForestName
}

function Test-PendingReboot {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Test-PendingReboot
}

function Test-FipsPolicy {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Test-FipsPolicy
}

function Get-ConfigurationMode {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-ConfigurationMode
}

function Get-WindowsBuild {
    [CmdletBinding()]
    param()
    [int] (Invoke-Door -Name Get-WindowsBuild)
}

function Get-DomainName {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-DomainName
}

function Get-ServiceStart {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('WACSM', 'SPTimerV4')] [string] $Name)
    Invoke-Door -Name Get-ServiceStart -With $PSBoundParameters
}

function Get-WorkerStart {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-WorkerStart
}

function Invoke-IisReset {
    [CmdletBinding()]
    param()
    [int] (Invoke-Door -Name Invoke-IisReset)
}

# SharePoint's files and object model.

function Get-SharePointFileVersion {
    [CmdletBinding()]
    param()
    Invoke-Door -Name Get-SharePointFileVersion
}

function Get-AppPermission {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Web,
        [Parameter(Mandatory = $true)] [string] $RegisteredName
    )
    Invoke-Door -Name Get-AppPermission -With $PSBoundParameters
}
